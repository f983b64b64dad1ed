"""What the tests check against: real models and data, other runtimes, emulated cores."""
