"""What the services of vendors compute, computed here from their documents."""
