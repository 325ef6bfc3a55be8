import CLibSSH
import PlueConfig

/// One session of a client: a command, or a shell that runs commands one after another. Lives on the loop's thread.
final class Channel {
    let id: UInt64
    private unowned let connection: Connection
    private let pointer: ssh_channel
    private let callbacks = UnsafeMutablePointer<ssh_channel_callbacks_struct>.allocate(capacity: 1)
    private var hasTerminal = false
    private var hasStarted = false
    /// `nil` for a command.
    private var shell: ShellInput?
    private var run: CommandRun?
    /// The status of the command that has returned, while what it wrote is still being sent.
    private var ended: UInt8?
    private var lastStatus: UInt8 = 0
    /// What the session ends with, once everything was sent.
    private var exitStatus: UInt8?
    /// What the shell itself has to say.
    private var sayings: [Outbox.Chunk] = []
    /// What is being sent.
    private var staged: Outbox.Chunk?
    /// libssh keeps bytes that the shell had no room for.
    private var isHoldingBack = false
    private var isReading = false
    private var clientEnded = false
    private var clientClosed = false
    private var isClosed = false

    /// sysexits' EX_USAGE: what was sent is not a command line.
    private static let usageStatus: UInt8 = 64
    /// A packet's worth.
    private static let mostAtOnce = 16 * 1024
    /// The smallest packet of ours that a client has to take; OpenSSH takes 32 KiB.
    private static let smallestPacket: UInt32 = 256
    /// What libssh may keep for us: its window is 1.28 MB, and it does not insist on it.
    private static let mostHeldBack = 4 * 1_048_576
    private static let mostSayings = 64 * 1024

    init(_ id: UInt64, _ pointer: ssh_channel, of connection: Connection) {
        self.id = id
        self.pointer = pointer
        self.connection = connection
        callbacks.initialize(to: .init())
        callbacks.pointee = .plue(Unmanaged.passUnretained(self).toOpaque())
        ssh_set_channel_callbacks(pointer, callbacks)
    }

    deinit { callbacks.deallocate() }

    /// Whether a command runs.
    var isWorking: Bool { run != nil && ended == nil }

    /// Whether a command runs, or the client has not got all of it, its exit status included.
    var isUnfinished: Bool { run != nil || staged != nil || !sayings.isEmpty || isClosed && !clientClosed }

    /// Whether the client does not take what it is sent.
    var isHeldUp: Bool { staged != nil }

    /// Whether both sides are done with it.
    var isOver: Bool { clientClosed && isClosed }

    // MARK: - What libssh says, in callbacks

    func takeTerminal() -> Bool {
        guard !hasStarted, !hasTerminal, connection.mayHaveTerminal else { return false }
        hasTerminal = true
        return true
    }

    func startShell() -> Bool {
        guard start() else { return false }
        let shell = ShellInput(prompt: hasTerminal ? connection.loop.surroundings.prompt : nil)
        self.shell = shell
        say(shell.invitation)
        return true
    }

    func startCommand(_ line: UnsafePointer<CChar>) -> Bool {
        guard start() else { return false }
        carryOut(UnsafeRawBufferPointer(start: line, count: strlen(line)))
        return true
    }

    private func start() -> Bool {
        connection.touch()
        guard !hasStarted, !connection.isEnding, plue_ssh_channel_packet_size(pointer) >= Self.smallestPacket else { return false }
        hasStarted = true
        return true
    }

    /// - Returns: How much of it was taken; libssh offers the rest again with what comes next.
    func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
        connection.touch()
        if isReading { return 0 }
        guard shell != nil, exitStatus == nil, !isClosed else {
            // A command has no input. What a terminal sends to it can only be meant to interrupt it.
            if hasTerminal, bytes.contains(0x03) { interrupt() }
            return bytes.count
        }
        let count = take(bytes)
        isHoldingBack = count < bytes.count
        if bytes.count - count > Self.mostHeldBack { connection.fail("the client sends more than it may") }
        return count
    }

    func receiveEnd() { clientEnded = true }

    func receiveClose() {
        clientClosed = true
        abandon()
    }

    /// Cancels the command that runs.
    func interrupt() { if isWorking { run?.interrupt() } }

    private func take(_ bytes: some Collection<UInt8>) -> Int {
        let count = min(bytes.count, shell?.room ?? 0)
        if shell?.take(bytes.prefix(count), whileRunning: run != nil) == true {
            say(Array("^C\r\n".utf8))
            interrupt()
        }
        return count
    }

    // MARK: - Work

    func commandEnded(_ status: UInt8) { if run != nil { ended = status } }

    /// Nobody is there any more.
    func abandon() {
        run?.abandon()
        staged = nil
        sayings = []
    }

    /// Reads on, sends what there is, runs what comes next, and closes when there is nothing more.
    /// - Returns: Whether more would go at once.
    func advance() -> Bool {
        if clientClosed || isClosed {
            close()
            return false
        }
        readOn()
        let hasSent = send()
        if staged == nil, sayings.isEmpty { settle() }
        proceed()
        if exitStatus != nil, staged == nil, sayings.isEmpty { close() }
        return !isClosed && connection.hasSentEverything && (hasSent || staged == nil && !sayings.isEmpty)
    }

    /// Takes what libssh kept while the shell had no room.
    private func readOn() {
        while isHoldingBack, let room = shell?.room, room > 0 {
            var buffer = [UInt8](repeating: 0, count: min(room, Self.mostAtOnce))
            isReading = true
            let count = ssh_channel_read_nonblocking(pointer, &buffer, UInt32(buffer.count), 0)
            isReading = false
            guard count > 0 else {
                isHoldingBack = false
                break
            }
            _ = take(buffer.prefix(Int(count)))
        }
        if clientEnded, !isHoldingBack { shell?.takeEnd() }
    }

    /// - Returns: Whether anything was sent.
    private func send() -> Bool {
        if staged == nil { staged = next() }
        let window = ssh_channel_window_size(pointer)
        guard let chunk = staged, connection.hasSentEverything, window > 0 else { return false }
        let count = UInt32(clamping: min(chunk.bytes.count, Int(window)))
        let sent = chunk.bytes.withUnsafeBytes { bytes in
            switch chunk.stream {
            case .standardOutput: ssh_channel_write(pointer, bytes.baseAddress, count)
            case .standardError: ssh_channel_write_stderr(pointer, bytes.baseAddress, count)
            }
        }
        // While keys are exchanged anew, nothing goes.
        guard sent > 0, !clientClosed else { return false }
        staged = Int(sent) < chunk.bytes.count ? .init(stream: chunk.stream, bytes: Array(chunk.bytes.dropFirst(Int(sent)))) : nil
        connection.touch()
        return true
    }

    private func next() -> Outbox.Chunk? {
        if !sayings.isEmpty { return sayings.removeFirst() }
        guard var chunk = run?.outbox.take(Self.mostAtOnce) else { return nil }
        if hasTerminal { chunk.bytes = chunk.bytes.withReturns }
        return chunk
    }

    /// A command is over when it has returned and everything it wrote was sent.
    private func settle() {
        guard let status = ended else { return }
        staged = next()
        guard staged == nil else { return }
        run = nil
        ended = nil
        lastStatus = status
        if let shell { say(shell.invitation) } else { exitStatus = status }
    }

    /// Takes the shell's steps, up to the next command.
    private func proceed() {
        while run == nil, exitStatus == nil, sayings.reduce(0, { $0 + $1.bytes.count }) < Self.mostSayings {
            switch shell?.next() {
            case nil: return
            case .show(let bytes): say(bytes)
            case .interrupted: say(shell?.invitation ?? [])
            case .end: exitStatus = lastStatus
            case .run(let line): line.withUnsafeBytes { carryOut($0) }
            }
        }
    }

    private func carryOut(_ line: UnsafeRawBufferPointer) {
        guard let text = String(validating: line, as: UTF8.self) else { return complain("the line is not UTF-8 text") }
        do throws(CommandWords.Problem) {
            let words = try CommandWords.split(text)
            if shell != nil, let first = words.first, ["exit", "logout", "quit"].contains(first) {
                exitStatus = words.dropFirst().first.map { UInt8($0) ?? Self.usageStatus } ?? lastStatus
            } else if words.isEmpty {
                if let shell { say(shell.invitation) } else { exitStatus = 0 }
            } else {
                run(words)
            }
        } catch {
            complain(error.text)
        }
    }

    private func run(_ words: [String]) {
        let (thread, connectionID, channelID) = (connection.loop.thread, connection.id, id)
        let outbox = Outbox { thread.perform { $0.hear(from: connectionID) } }
        let command = SSHCommand(
            actor: connection.actor, role: connection.role, words: words, address: connection.address, isTerminal: hasTerminal,
            output: SSHOutput(outbox))
        let run = CommandRun(command, outbox: outbox, handler: connection.loop.surroundings.handler) { status in
            thread.perform { $0.commandEnded(status, on: connectionID, channelID) }
        }
        self.run = run
        connection.loop.runs.start(run)
    }

    private func complain(_ text: String) {
        let bytes = Array("\(text)\n".utf8)
        sayings.append(.init(stream: .standardError, bytes: hasTerminal ? bytes.withReturns : bytes))
        lastStatus = Self.usageStatus
        if let shell { say(shell.invitation) } else { exitStatus = Self.usageStatus }
    }

    private func say(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        if let last = sayings.indices.last, sayings[last].stream == .standardOutput {
            sayings[last].bytes += bytes
        } else {
            sayings.append(.init(stream: .standardOutput, bytes: bytes))
        }
    }

    // MARK: - The end

    private func close() {
        guard !isClosed else { return }
        isClosed = true
        abandon()
        if let exitStatus, !clientClosed { ssh_channel_request_send_exit_status(pointer, Int32(exitStatus)) }
        // By itself: where the client reads slowly, the end of file alone makes ssh_channel_close return before it has closed.
        ssh_channel_send_eof(pointer)
        ssh_channel_close(pointer)
    }

    /// Gives it back to libssh; only when it is over.
    func free() {
        ssh_remove_channel_callbacks(pointer, callbacks)
        ssh_channel_free(pointer)
    }
}

extension [UInt8] {
    /// Line ends as a terminal needs them.
    fileprivate var withReturns: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count + count / 32)
        for byte in self {
            if byte == UInt8(ascii: "\n") { result.append(UInt8(ascii: "\r")) }
            result.append(byte)
        }
        return result
    }
}
