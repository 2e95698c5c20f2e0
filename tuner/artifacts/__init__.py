"""What stages leave behind: fingerprints, manifests and the store that holds them."""
