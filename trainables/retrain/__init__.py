"""Training of found architectures, from scratch or from their blocks, with or without the teacher."""
