import SystemPackage

/// Who may change a configuration besides its owner, and whether that is said or refused.
///
/// What everybody may write is an error in production and a warning elsewhere. What a group may write is a warning, unless it is the
/// owner's own group, which by the custom of most distributions has the owner's number.
struct WritePermission {
    let environment: EnvironmentName

    /// What is wrong with a document's permissions; `nil` when nothing is.
    func problem(of signature: FileSignature, at path: FilePath) -> Diagnostic? {
        let isForAll = signature.permissions & 0o002 != 0
        let isForGroup = signature.permissions & 0o020 != 0 && signature.group != signature.owner
        guard isForAll || isForGroup else { return nil }
        return Diagnostic(
            "writable-by-others", severity: isForAll && environment == .production ? .error : .warning,
            at: Location(file: path.string, line: 1, column: 1, endLine: 1, endColumn: 1),
            "\(path) can be written by \(isForAll ? "everybody" : "its group") (mode \(String(signature.permissions, radix: 8))), "
                + "so \(isForAll ? "whoever can log in" : "each of its members") decides what runs",
            hint: "chmod \(isForAll ? "o" : "g")-w \(path)")
    }

    /// What is wrong with a directory's: who may write there may put another document in the place of one.
    func problem(ofDirectory path: FilePath) -> Diagnostic? {
        // Where the sticky bit is set, as in /tmp, only a file's owner may replace it.
        guard let signature = FileSignature(path), signature.permissions & 0o1000 == 0 else { return nil }
        return problem(of: signature, at: path)
    }
}
