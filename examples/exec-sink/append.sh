# Appends each row to the file in $OUT, and acknowledges what stands there.
while IFS= read -r line; do
  case $line in
    '{"op":"progress"'*)
      scn=${line##*:}
      echo "ack ${scn%\}}"
      ;;
    *) printf '%s\n' "$line" >>"${OUT:-rows.ndjson}" ;;
  esac
done
