# SPDX-License-Identifier: MIT
"""literate_check.py - the Python of doc/petrichor, which is petrichor.py in this folder.

    literate_check.py vectors FILE             each vector but those of LZ4
    literate_check.py verdicts FILE N SEED     N frames made from them, and what is said of each
    literate_check.py echo WIRE SERVER [STUNNEL OPENSSL]
                                               the conversation of the file WIRE, byte for byte, with the
                                               echo server; with STUNNEL through TLS, too
    literate_check.py shown DOC SERVER         what the text shows at Python's prompt
"""
import doctest, io, json, os, random, re, socket, ssl, subprocess, sys, threading

sys.path.insert(0, os.getcwd())
import petrichor

WAIT = 60       # seconds, for whatever should come at once
bad = 0


def complain(*what):
    global bad
    bad += 1
    print(*what)


# ---- vectors ----

def plain(value):
    """A value as the vectors have it: bytes as latin-1; a float is told from an int by its type."""
    if isinstance(value, bytes):
        return value.decode('latin-1')
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items()}
    return value


def same(a, b):
    return repr(plain(a)) == repr(b)


class Slow(io.RawIOBase):
    """A stream that gives no more than a few bytes at a time."""
    def __init__(self, data, most):
        self.data, self.most = data, most

    def read(self, n=-1):
        n = min(n, self.most)
        piece, self.data = self.data[:n], self.data[n:]
        return piece


def pairs(stream):
    got = []
    while True:
        header, body = petrichor.recv(stream)
        if header is None:
            return got
        got.append([header, body])


def attempt(function, *args):
    """The value and None, or None and the error."""
    try:
        return function(*args), None
    except petrichor.Error as e:
        return None, e.code


def check_vector(name, data, valid, want):
    if name[0] in 'pq':
        for most in (1, 3, 65536):
            got, error = attempt(pairs, Slow(data, most))
            if error != (None if valid else want) or (valid and not same(got, json.loads(want))):
                complain(name, 'gives', error or got)
        return
    # x109 announces as much as can be.
    limits = dict(petrichor.LIMITS, body=999999999)
    got, error = attempt(petrichor.decode, data, limits)
    if error != (None if valid else want) or (valid and not same(got, json.loads(want))):
        complain(name, 'gives', error or got)
    elif valid and (petrichor.encode(got) == data) != (name[0] == 'c'):
        complain(name, 'encodes to', petrichor.encode(got))
    for end in range(len(data) if valid else 0):
        part = attempt(petrichor.decode, data[:end], limits)
        if part != (None, 'TRUNC' if end else 'EMPTY'):
            complain(name, 'cut at', end, 'gives', part)


def read_vectors(path):
    with open(path, encoding='ascii') as f:
        for line in f:
            name, text, verdict, want = line.rstrip('\n').split('\t')
            if name[0] != '#':
                yield name, bytes.fromhex(text.strip('-')), verdict, want


def vectors(path):
    seen = 0
    for name, data, verdict, want in read_vectors(path):
        if name[0] in 'cnxpq':
            check_vector(name, data, verdict == 'valid', want)
            seen += 1
    print(seen, 'vectors')
    if seen < 180:
        complain('too few')
    for wrong in (float('nan'), float('inf'), 2**63, -2**63 - 1, {1: 2}, object(), [{None: 1}]):
        if attempt(petrichor.encode, wrong) != (None, 'ARGUMENT'):
            complain('encodes', wrong)


def verdicts(path, count, seed):
    """Frames with a few bytes changed, and what is said of each: HEX NAME OFFSET."""
    random.seed(seed)
    frames = [data for name, data, _, _ in read_vectors(path) if name[0] in 'cnx' and len(data) > 1]
    for _ in range(int(count)):
        data = bytearray(random.choice(frames))
        for _ in range(random.randrange(4)):
            data[random.randrange(len(data))] = random.choice(b'0123456789:,#^!~]}-.eE\0a ')
        try:
            petrichor.decode(bytes(data))
            print(data.hex(), 'OK', 0)
        except petrichor.Error as e:
            print(data.hex(), e.code, e.offset)


# ---- the echo server, and what goes between ----

class Server:
    """The C server, on a port of its own."""
    def __init__(self, program, ident):
        self.process = subprocess.Popen([program, '-i', ident, '127.0.0.1', '0'], stdout=subprocess.PIPE)
        words = self.process.stdout.readline().split()
        if words[:1] != [b'RUNNING']:
            raise SystemExit('%s does not run: %s' % (program, words))
        self.port = int(words[2])
        # What it prints must not fill the pipe.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def stop(self):
        self.process.terminate()
        self.process.wait(WAIT)


class Recorder:
    """A port that passes on to another, and keeps what went over one connection."""
    def __init__(self, port):
        self.port_behind = port
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.listener.settimeout(WAIT)
        self.port = self.listener.getsockname()[1]
        self.sent, self.got = bytearray(), bytearray()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        near, _ = self.listener.accept()
        self.listener.close()
        far = socket.create_connection(('127.0.0.1', self.port_behind), WAIT)
        near.settimeout(WAIT)
        back = threading.Thread(target=self.pump, args=(far, near, self.got), daemon=True)
        back.start()
        self.pump(near, far, self.sent)
        back.join(WAIT)
        near.close()
        far.close()

    def pump(self, source, sink, kept):
        try:
            while True:
                piece = source.recv(65536)
                if not piece:
                    break
                kept += piece
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass    # what is missing is seen by who compares


class Stunnel:
    """A stunnel of one service; tries another port where somebody else was faster."""
    def __init__(self, program, name, settings):
        for _ in range(5):
            with socket.create_server(('127.0.0.1', 0)) as probe:
                self.port = probe.getsockname()[1]
            with open(name + '.conf', 'w') as f:
                f.write('foreground = yes\npid =\nsyslog = no\ndebug = notice\n[%s]\naccept = 127.0.0.1:%d\n%s'
                        % (name, self.port, settings))
            self.process = subprocess.Popen([program, name + '.conf'], stderr=subprocess.PIPE, text=True)
            self.log = []
            for line in self.process.stderr:
                self.log.append(line)
                if 'Configuration successful' in line:
                    threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True).start()
                    return
            self.process.wait(WAIT)
        raise SystemExit('stunnel does not start: ' + ''.join(self.log))

    def stop(self):
        self.process.terminate()
        self.process.wait(WAIT)


# ---- the conversation ----

def read_wire(path):
    """The lines of both sides, [('C', bytes), ('S', bytes), ...]."""
    lines = []
    with open(path, encoding='ascii') as f:
        for line in f:
            text = re.sub(r'\\x([0-9a-f]{2})', lambda m: chr(int(m[1], 16)), line[3:].rstrip('\n'))
            lines.append((line[0], text.encode('latin-1')))
    return lines


def converse(port, lines, tls=None):
    """Holds it, by what the client's lines say; the answers are those of the lines."""
    said = [pairs(io.BytesIO(data))[0] for side, data in lines if side == 'C']
    answers = [pairs(io.BytesIO(data))[0] for side, data in lines if side == 'S']
    (identity, body), (verdict, words) = said[0], answers[0]
    host = 'localhost' if tls else '127.0.0.1'
    sock, stream, got, got_words = petrichor.connect(host, port, identity, body, WAIT, tls)
    if (got, got_words) != (verdict, words):
        complain('the verdict is', got, got_words)
    if not petrichor.allowed(got):
        complain('not let in')
    for (header, body), answer in zip(said[1:], answers[1:]):
        reply = list(petrichor.request(stream, header, body))
        if reply != answer:
            complain(body, 'is answered by', reply)
    stream.close()
    sock.close()


def held(name, server, lines, port_of=None, tls=None):
    """Once, with a recorder before the server; port_of: what stands before that."""
    before = bad
    recorder = Recorder(server.port)
    tunnels = port_of(recorder.port) if port_of else []
    try:
        converse(tunnels[-1].port if tunnels else recorder.port, lines, tls)
        recorder.thread.join(WAIT)
    finally:
        for tunnel in tunnels:
            tunnel.stop()
    for side, kept in ('C', recorder.sent), ('S', recorder.got):
        want = b''.join(data for s, data in lines if s == side)
        if bytes(kept) != want:
            complain(name, side, 'said', bytes(kept), 'not', want)
    print(name, 'is good' if bad == before else 'is not good')


def make_certificate(openssl):
    subprocess.run([openssl, 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes',
                    '-keyout', 'key.pem', '-out', 'cert.pem', '-days', '2', '-subj', '/CN=localhost',
                    '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.chmod('key.pem', 0o600)


def echo(wire, program, stunnel=None, openssl=None):
    lines = read_wire(wire)
    if len(lines) < 6:
        complain(wire, 'is too short')
    ident = pairs(io.BytesIO(lines[1][1]))[0][0][b'ident'].decode()
    server = Server(program, ident)
    try:
        held('direct', server, lines)
        if not stunnel:
            return
        make_certificate(openssl)

        def outer(port):
            return Stunnel(stunnel, 'outer', 'connect = 127.0.0.1:%d\ncert = cert.pem\nkey = key.pem\n' % port)

        def both(port):
            near = outer(port)
            return [near, Stunnel(stunnel, 'inner', 'client = yes\nconnect = 127.0.0.1:%d\nCAfile = cert.pem\n'
                                  'verifyChain = yes\ncheckHost = localhost\n' % near.port)]

        context = ssl.create_default_context(cafile='cert.pem')
        held("Python's ssl to stunnel", server, lines, lambda port: [outer(port)], context)
        held('stunnel to stunnel', server, lines, both)
        refused(outer, server)
    finally:
        server.stop()


def refused(outer, server):
    """Who does not know the certificate gets no further; who speaks TLS to the plain port neither."""
    tunnel = outer(server.port)
    try:
        petrichor.connect('localhost', tunnel.port, {}, b'', WAIT, ssl.create_default_context())
        complain('a certificate that nobody knows was taken')
    except ssl.SSLCertVerificationError:
        pass
    finally:
        tunnel.stop()
    try:
        petrichor.connect('127.0.0.1', server.port, {}, b'', WAIT, ssl.create_default_context(cafile='cert.pem'))
        complain('the plain server speaks TLS')
    except OSError:
        pass


# ---- what the text shows ----

def shown(doc, program):
    server = Server(program, '0')
    try:
        with open(doc, encoding='utf-8') as f:
            text = f.read()
        lines = [line[4:] for line in text.split('\n') if re.match(r"    (>>> |\(|\{)", line)]
        at = lines.index('>>> import petrichor')
        session = '\n'.join(lines[at:]).replace('7777', str(server.port)) + '\n'
        test = doctest.DocTestParser().get_doctest(session, {}, 'doc/petrichor', doc, 0)
        runner = doctest.DocTestRunner(verbose=False)
        runner.run(test)
        if runner.failures or runner.tries < 4:
            complain('doc/petrichor:', runner.failures, 'of', runner.tries, 'are not as shown')
        test.globs.clear()
    finally:
        server.stop()


{'vectors': vectors, 'verdicts': verdicts, 'echo': echo, 'shown': shown}[sys.argv[1]](*sys.argv[2:])
sys.exit(bad != 0)
