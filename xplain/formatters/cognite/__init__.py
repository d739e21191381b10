"""The format of Cognite Vision: texts, asset tags, objects and gauges in images; requests and errors."""
