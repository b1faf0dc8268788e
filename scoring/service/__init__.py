"""The HTTP service: records in, scores out, with the model in charge; and the page that curators work on.

:func:`scoring.service.app.create_app` makes the application, :func:`scoring.service.server.run` serves it.
"""
