"""What people already have: pipelines, estimators, services, answers that name their scores; and what these say."""
