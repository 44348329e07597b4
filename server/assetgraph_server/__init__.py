"""The application: ASGI, GraphQL, command line, web page."""
