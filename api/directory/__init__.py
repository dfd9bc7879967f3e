"""Signing in through the hospital's directory: what OpenID Connect asks for; `flow` has its steps."""
