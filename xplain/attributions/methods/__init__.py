"""The methods of attribution: functions of a `Run` and options that return maps (T, height, width), one a target.

A module holds the methods of one idea, and `xplain.attributions.table` lists them all. Methods are written for images;
`texts` and `signals` bring them to the other kinds of input.
"""
