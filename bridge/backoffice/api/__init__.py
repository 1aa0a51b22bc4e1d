"""The back office's GraphQL API: documents, one operation per request, what an answer proves."""
