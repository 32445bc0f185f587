"""Other people's packages as methods: their environments, their files, their programs.

A peer runs in its own environment, as a process, and is handed files; nothing here imports it.
"""
