"""Finding plugins and reading their cards without importing them."""
