"""The demo: a trained network, its sample images, and a tour of what Octavo does with them."""
