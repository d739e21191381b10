"""How each kind of input is explained: methods are written for images, other kinds become views of one."""
