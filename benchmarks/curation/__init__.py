"""How good curation is, and how fast: measured on data whose truth is planted, beside other tools on the same rows."""
