"""What the business does: one noun, one module."""
