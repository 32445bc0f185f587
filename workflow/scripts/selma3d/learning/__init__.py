"""Networks, pretext tasks and the training loop: from images to encoders and models."""
