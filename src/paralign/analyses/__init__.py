"""Analyses: what alignment changed in an encoder, as result rows and the data of figures that reports draw."""
