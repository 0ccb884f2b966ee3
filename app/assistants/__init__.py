"""Who answers: one file an API. Nothing outside this room knows a vendor."""
