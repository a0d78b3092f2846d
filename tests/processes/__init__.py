"""Linkferry as an operator runs it: one web endpoint, several workers, RabbitMQ and PostgreSQL."""
