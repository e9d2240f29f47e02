#!/bin/sh
# Makes a backup of DATA_DIR in BACKUP_DIR, verifies the copy, and deletes all but the newest BACKUPS_KEPT (14).
# An unsound copy keeps the ending .unsound, deletes nothing, and ends this script with the exit code of "verify".
set -eu
umask 077

main=$(dirname "$0")/../dist/main.js
folder=${BACKUP_DIR:?set BACKUP_DIR}
kept=${BACKUPS_KEPT:-14}
backup=$folder/oneport-$(date -u +%Y-%m-%dT%H-%M-%SZ).db

node "$main" backup "$backup.new"
code=0
node "$main" verify "$backup.new" || code=$?
if [ "$code" -ne 0 ]; then
  mv "$backup.new" "$backup.unsound"
  echo "the backup is not sound: it is kept as $backup.unsound" >&2
  exit "$code"
fi
mv "$backup.new" "$backup"

# The names sort by time.
ls -r "$folder" | grep '^oneport-.*Z\.db$' | tail -n "+$((kept + 1))" | while read -r old; do
  rm -f "$folder/$old"
done
