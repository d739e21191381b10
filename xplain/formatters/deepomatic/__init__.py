"""The format of Deepomatic: inferences and tasks; specifications and versions."""
