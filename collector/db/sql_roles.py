"""SQL that creates the database and its roles, with password verifiers. Pure.

`jph_writer` may add and change rows, `jph_reader` may read everything except the passwords of the
page's users. These two roles cannot log in: they are granted to users, the config's user first.
"""

import base64
import hashlib
import hmac
import unicodedata
from typing import Final

from jph.config.model import Sql

WRITER: Final = "jph_writer"
READER: Final = "jph_reader"
_ITERATIONS: Final = 4096
HIDE_PASSWORDS: Final = f"""
    DO $$ BEGIN
        IF to_regclass('web_user') IS NOT NULL
            AND EXISTS (SELECT FROM pg_roles WHERE rolname = '{READER}')
        THEN
            REVOKE ALL ON web_user FROM {READER};
        END IF;
    END $$;
"""


def create_database(sql: Sql, password: str, salt: bytes, *, drop: bool = False) -> list[str]:
    """Return the statements, for a superuser, that create the roles and the database."""
    user, database = identifier(sql.user), identifier(sql.database)
    login = f"LOGIN PASSWORD {literal(scram(password, salt))}" if password else "LOGIN"
    return [
        *([f"DROP DATABASE IF EXISTS {database}"] if drop else []),
        *(_role(name, "NOLOGIN") for name in (WRITER, READER)),
        _role(sql.user, login),
        f"GRANT {WRITER} TO {user}",
        f"CREATE DATABASE {database} OWNER {user} ENCODING 'UTF8' TEMPLATE template0",
    ]


def grant_all(sql: Sql) -> list[str]:
    """Return the statements that grant the roles their rights on present and future tables."""
    database, user = identifier(sql.database), identifier(sql.user)
    later = f"ALTER DEFAULT PRIVILEGES FOR ROLE {user} IN SCHEMA public GRANT"
    write = "SELECT, INSERT, UPDATE, DELETE"
    return [
        f"GRANT CONNECT ON DATABASE {database} TO {WRITER}, {READER}",
        f"GRANT USAGE ON SCHEMA public TO {WRITER}, {READER}",
        f"GRANT CREATE ON SCHEMA public TO {user}",
        f"GRANT {write} ON ALL TABLES IN SCHEMA public TO {WRITER}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}",
        f"{later} {write} ON TABLES TO {WRITER}",
        f"{later} SELECT ON TABLES TO {READER}",
        HIDE_PASSWORDS.strip().rstrip(";"),
    ]


def scram(password: str, salt: bytes) -> str:
    """Return PostgreSQL's SCRAM-SHA-256 verifier of a password (RFC 5803)."""
    salted = hashlib.pbkdf2_hmac("sha256", _normal(password), salt, _ITERATIONS)
    client = hmac.digest(salted, b"Client Key", "sha256")
    stored = hashlib.sha256(client).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${_ITERATIONS}:{_text(salt)}${_text(stored)}:{_text(server)}"


def identifier(name: str) -> str:
    """Quote a name."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text."""
    return "'" + text.replace("'", "''") + "'"


def _role(name: str, options: str) -> str:
    return (
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal(name)}) THEN "
        f"CREATE ROLE {identifier(name)} {options}; END IF; END $$"
    )


def _normal(password: str) -> bytes:
    return unicodedata.normalize("NFKC", password).encode()


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
