"""Small programs that use minivae from outside; nothing in the package imports them."""
