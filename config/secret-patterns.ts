/** Values that are secrets wherever they stand: JSON web tokens, our password hashes and machine tokens, PEM keys, addresses with a password. */
export const SECRET_VALUE =
  /eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|scrypt\$[^\s"]+|derms_machine_[\w-]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY-----|[a-z][a-z0-9+.-]*:\/\/[^\s/:@]+:[^\s/@]+@/gi;
