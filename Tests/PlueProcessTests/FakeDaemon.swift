import Foundation
import PlueConfig
import PlueProcess
import SystemPackage
import Testing

#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// A daemon that does in each step what its file says, since real ones do not fail on demand.
///
/// It binds a port, greets whoever connects, and reads its file again on SIGHUP. Its file may hold, each in a line of its own:
/// `bad` (the check refuses), `check-hangs`, `reload-fails`, `reload-hangs`, `die` (SIGHUP ends it), `late-death` (a second
/// later), `ignore` (it goes on as it was).
struct FakeDaemon: Sendable {
    let scratch: Scratch

    static let template = """
        # for {{web.who}}
        port {{web.port}}
        greeting {{web.greeting}}
        {{#web.extra}}
        {{.}}
        {{/web.extra}}
        {{#web.password}}
        password {{.}}
        {{/web.password}}

        """

    /// Runs the body, and ends the daemon afterwards.
    static func run<Value>(_ body: (FakeDaemon) async throws -> Value) async throws -> Value {
        try await Scratch.run { scratch in
            try scratch.write("template", template)
            try scratch.write("daemon.pl", script)
            try scratch.write("check.sh", check)
            try scratch.write("reload.sh", reload)
            let daemon = FakeDaemon(scratch: scratch)
            let result: Result<Value, any Error>
            do { result = .success(try await body(daemon)) } catch { result = .failure(error) }
            await daemon.end()
            return try result.get()
        }
    }

    func settings(
        _ port: Int, _ greeting: String = "hello", extra: String? = nil, password: String? = nil, values: [String: PlainValue] = [:]
    ) -> ExternalDaemon.Settings {
        var settings = ExternalDaemon.Settings(template: scratch["template"], output: scratch["daemon.conf"])
        settings.check = ["/bin/sh", scratch["check.sh"].string, "{file}"]
        settings.reload = ["/bin/sh", scratch["reload.sh"].string, scratch.path.string]
        settings.start = ["perl", scratch["daemon.pl"].string, "{output}", scratch["daemon.pid"].string, scratch["log"].string]
        settings.probe = .tcp(.loopback(port))
        settings.pidFile = scratch["daemon.pid"]
        // Patient where it should go well; the tests of what does not say how long.
        settings.timeouts.check = .seconds(20)
        settings.timeouts.reload = .seconds(20)
        settings.timeouts.start = .seconds(20)
        settings.timeouts.probe = .seconds(20)
        var plain = values.merging(["web.port": .integer(port), "web.greeting": .string(greeting), "web.who": .string("you")]) { $1 }
        if let extra { plain["web.extra"] = .string(extra) }
        settings.values = TemplateValues(
            plain, secrets: password.map { ["web.password": .string($0)] } ?? [:],
            unset: (extra == nil ? ["web.extra"] : []) + (password == nil ? ["web.password"] : []))
        return settings
    }

    var file: String { get throws { try scratch.read("daemon.conf") } }

    /// What it has read so far, in order: `hello 12345`.
    var readings: [String] { ((try? scratch.read("log")) ?? "").split(separator: "\n").map(String.init) }

    var pid: pid_t? { (try? scratch.read("daemon.pid")).flatMap { pid_t($0) } }

    func end() async {
        guard let pid else { return }
        kill(pid, SIGKILL)
    }

    private static let check = """
        grep -q '^check-hangs' "$1" && exec sleep 60
        if grep -q '^bad' "$1"; then
            echo "checking $1" >&2
            cat "$1" >&2
            exit 4
        fi

        """

    private static let reload = """
        cd "$1"
        if grep -q '^reload-fails' daemon.conf; then cat daemon.conf; echo "no reload today" >&2; exit 5; fi
        grep -q '^reload-hangs' daemon.conf && exec sleep 60
        pid=$(cat daemon.pid)
        kill -HUP "$pid" || exit 1
        # Nobody else could say when it is dead, and how long that takes here is anybody's guess.
        while grep -q '^die' daemon.conf && state=$(sed 's/.*) \\(.\\).*/\\1/' "/proc/$pid/stat" 2>/dev/null) && [ "$state" != Z ]; do
            sleep 0.05
        done
        exit 0

        """

    private static let script = """
        use strict; use warnings; use POSIX qw(setsid); use IO::Socket::INET; use IO::Select;
        my ($file, $pidfile, $log) = @ARGV;
        my ($listener, $port, $greeting, $hangup) = (undef, 0, '', 0);
        sub note { open my $out, '>>', $log or die; print $out "@_\\n"; close $out }
        sub follow {
            open my $in, '<', $file or exit 1; local $/; my $text = <$in>; close $in;
            exit 1 if $text =~ /^die/m && defined $listener;
            alarm 1 if $text =~ /^late-death/m && defined $listener;
            return if $text =~ /^(ignore|late-death)/m && defined $listener;
            my ($wanted) = $text =~ /^port (\\d+)/m or exit 1;
            ($greeting) = $text =~ /^greeting (.*)/m;
            if ($wanted != $port) {
                my $next = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $wanted, Listen => 16, ReuseAddr => 1);
                if (!$next) { note("taken $wanted"); exit 1 unless defined $listener; return }
                ($listener, $port) = ($next, $wanted);
            }
            note("$greeting $port");
        }
        exit 0 if fork; setsid; exit 0 if fork;
        open STDIN, '<', '/dev/null'; open STDOUT, '>', '/dev/null'; open STDERR, '>', '/dev/null';
        $SIG{HUP} = sub { $hangup = 1 }; $SIG{PIPE} = 'IGNORE';
        follow();
        open my $out, '>', "$pidfile.tmp" or die; print $out $$; close $out; rename "$pidfile.tmp", $pidfile;
        while (1) {
            if ($hangup) { $hangup = 0; follow() }
            next unless IO::Select->new($listener)->can_read(0.05);
            my $client = $listener->accept or next;
            print $client "$greeting\\n"; close $client;
        }

        """
}
