"""HTTP service: scores records with the current model, and serves the desk, the curators' page.

:func:`scoring.service.app.create_app` makes the application, :func:`scoring.service.server.run` serves it.
"""
