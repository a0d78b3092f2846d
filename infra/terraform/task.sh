#!/bin/sh
# Run one command of Linkferry on AWS, wait for its end (ten minutes at most), and show its log.
#
#   ./task.sh migrate            the database gets the schema of the newest image
#   ./task.sh worker doctor      any other command, with the rights and settings of a worker
set -eu
cd "$(dirname "$0")"

process=${1:?migrate or worker}
shift

name=$(terraform output -raw name)
AWS_REGION=$(terraform output -raw region)
export AWS_REGION

words=
for word in "$@"; do
    case $word in
        *[!A-Za-z0-9_./:=-]*)
            echo "I cannot pass on $word: plain words only." >&2
            exit 2
            ;;
    esac
    words="$words${words:+, }\"$word\""
done
overrides="{\"containerOverrides\": [{\"name\": \"linkferry\"${words:+, \"command\": [$words]}}]}"

task=$(aws ecs run-task --cli-input-json "$(terraform output -raw "run_$process")" \
    --overrides "$overrides" --query 'tasks[0].taskArn' --output text)
[ "$task" != None ] || {
    echo "ECS did not start it: look at the cluster $name." >&2
    exit 1
}
aws ecs wait tasks-stopped --cluster "$name" --tasks "$task"
aws logs tail "/$name/$process" --since 30m --format short --log-stream-names "task/linkferry/${task##*/}" || true
code=$(aws ecs describe-tasks --cluster "$name" --tasks "$task" \
    --query 'tasks[0].containers[0].exitCode' --output text)
[ "$code" != None ] || {
    aws ecs describe-tasks --cluster "$name" --tasks "$task" --query 'tasks[0].stoppedReason' --output text >&2
    exit 1
}
exit "$code"
