"""Tables, figures and sentences about runs that sections share."""
