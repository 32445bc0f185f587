"""Pictures of test cases: panels of a structure, cards of a method."""
