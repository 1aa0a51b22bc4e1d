"""The column of the back office: login, GraphQL, recorder."""
