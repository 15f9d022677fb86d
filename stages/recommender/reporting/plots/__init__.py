"""The pictures, one function each, all drawn in one style."""
