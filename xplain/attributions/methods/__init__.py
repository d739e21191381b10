"""The methods, one concept a file: functions of a `Run` and options that return maps."""
