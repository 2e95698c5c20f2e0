"""The library: from a chat model's template to compared adapters. Independent of the orchestration."""
