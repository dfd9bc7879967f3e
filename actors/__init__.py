"""Thin shells that give the core's plain classes a process of their own."""
