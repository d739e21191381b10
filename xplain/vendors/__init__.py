"""What a vendor's service computes, done by a model of ours."""
