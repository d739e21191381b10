"""What a model is given or asked beside one input: further inputs, a second sentence, a reference to compare with."""
