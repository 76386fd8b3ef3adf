"""The fcn family: fully convolutional nets with skips (thesis chapter 2)."""
