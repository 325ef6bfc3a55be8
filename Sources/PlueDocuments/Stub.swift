// PlueDocuments
