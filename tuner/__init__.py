"""The library: from a chat model's template to compared adapters. Knows nothing of who orchestrates it."""
