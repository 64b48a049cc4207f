"""The commands as functions, named as they are typed."""
