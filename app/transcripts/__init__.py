"""What is kept of conversations. Today the journal, an embedded database; later also Elasticsearch."""
