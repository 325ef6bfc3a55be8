import ArgumentParser
import Foundation
import PlueConfig
import PlueSecrets

/// A secret text from standard input, or from a terminal that does not show it.
enum PlaintextInput {
    static func read(prompt: String) throws -> Secret<String> {
        var bytes = isatty(STDIN_FILENO) == 1 ? try ask(prompt) : try readAll()
        defer { for index in bytes.indices { bytes[index] = 0 } }
        guard !bytes.isEmpty else { throw ValidationError("there is no text to encrypt on standard input") }
        guard let secret = bytes.withUnsafeBytes({ Secret(utf8: $0) }) else { throw ValidationError("the text is not UTF-8") }
        return secret
    }

    private static func readAll() throws -> [UInt8] {
        var bytes: [UInt8] = []
        while let part = try FileHandle.standardInput.read(upToCount: 65_536), !part.isEmpty {
            bytes += part
            guard bytes.count <= EncryptedValue.longestPlaintext + 2 else { throw ValidationError("the text is longer than 64 KiB") }
        }
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        return bytes
    }

    /// Twice, since nobody sees what they type.
    private static func ask(_ prompt: String) throws -> [UInt8] {
        var before = termios()
        guard tcgetattr(STDIN_FILENO, &before) == 0 else { return try readAll() }
        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
        defer { tcsetattr(STDIN_FILENO, TCSAFLUSH, &before) }
        func line(_ prompt: String) -> [UInt8] {
            FileHandle.standardError.write(Data(prompt.utf8))
            defer { FileHandle.standardError.write(Data("\n".utf8)) }
            return Array((readLine() ?? "").utf8)
        }
        let first = line(prompt)
        guard line("once more: ") == first else { throw ValidationError("the two are not the same") }
        return first
    }
}
