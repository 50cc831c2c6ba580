"""What was asked: parameters, checked, and the studies that hold them."""
