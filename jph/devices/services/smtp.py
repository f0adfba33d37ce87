"""A mail server: hands a mail to it, with TLS and a login. Call it in a thread."""

from email.message import EmailMessage
from typing import NamedTuple


class MailServer(NamedTuple):
    """Address and login of a mail server; `tls` is starttls, tls or none."""

    host: str
    port: int
    tls: str
    user: str
    password: str
    ca_file: str = ""

    def send(self, message: EmailMessage, limit_s: float) -> None:
        """Hand over a mail; each step may take `limit_s`.

        Raises:
            OSError: the server cannot be reached or refuses.
        """
        # Imported here: most nodes send no mail.
        import smtplib
        import ssl

        context = ssl.create_default_context(cafile=self.ca_file or None)
        server: smtplib.SMTP
        if self.tls == "tls":
            server = smtplib.SMTP_SSL(self.host, self.port, timeout=limit_s, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=limit_s)
        with server:
            if self.tls == "starttls":
                server.starttls(context=context)
            if self.user:
                server.login(self.user, self.password)
            server.send_message(message)
