"""What holds for every input of a network: proven, or refuted by an input that shows it."""
