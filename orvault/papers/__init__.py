"""Papers: what the system prints as PDF, in Korean and English."""
