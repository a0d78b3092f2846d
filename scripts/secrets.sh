#!/bin/sh
# Make what compose.yaml reads: .env, and one file for each secret in secrets/. What is there already stays.
#
# Passwords between the containers are made up here. What only you can know, such as the token of a bot, is
# an empty file, and off, until you fill it: echo 123456:ABC... > secrets/telegram_token
set -eu
cd "$(dirname "$0")/.."
umask 077

make() { # a file with what comes in, unless there is one
    [ -e "secrets/$1" ] || cat >"secrets/$1"
}

random() { # 48 hex digits
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

[ -e .env ] || cp .env.example .env
# One that was made for `make run` says nothing of containers.
grep -q '^COMPOSE_PROFILES=' .env || printf '\nCOMPOSE_PROFILES=embedded\n' >>.env
mkdir -p secrets
chmod 700 secrets

random | make postgres_password
random | make rabbitmq_password
random | make api_keys
random | make grafana_password
random | make s3_password

make database_url <<END
postgresql+asyncpg://linkferry:$(cat secrets/postgres_password)@postgres/linkferry
END
make queue_url <<END
amqp://linkferry:$(cat secrets/rabbitmq_password)@rabbitmq/
END
make rabbitmq.conf <<END
default_user = linkferry
default_pass = $(cat secrets/rabbitmq_password)
END
make s3.json <<END
{"identities": [{
  "name": "linkferry",
  "credentials": [{"accessKey": "linkferry", "secretKey": "$(cat secrets/s3_password)"}],
  "actions": ["Admin", "Read", "Write", "List", "Tagging"]
}]}
END
make aws_credentials <<END
[compose]
aws_access_key_id = linkferry
aws_secret_access_key = $(cat secrets/s3_password)
END

for name in secret_keys s3_cloudfront_key libretranslate_api_key \
    telegram_token telegram_webhook_secret telegram_api_id telegram_api_hash \
    slack_bot_token slack_app_token slack_signing_secret slack_client_id slack_client_secret; do
    make $name </dev/null
done

# The user in a container is another one than you: the folder keeps everybody else out, not the files in it.
chmod 644 secrets/*
echo "Ready: the settings are in .env, the secrets in secrets/. Next: docker compose up --detach"
