"""The parts of the RabbitMQ adapter; `shared.queue.rabbitmq` puts them together."""
